"""`make bench`: a batch of scans, from POST to finished, against a bare script doing the same work."""
