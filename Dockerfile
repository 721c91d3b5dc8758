# The one image of api, worker and migrate.
FROM python:3.11.13-slim-bookworm

WORKDIR /iiifq
# The lock holds the tests' tools too: one lock, and the image has what was tested.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md delivery_channels.py sealed.py settings.py storage.py ./
COPY activities activities
COPY api api
COPY cli cli
COPY image_api image_api
COPY local local
COPY projection projection
COPY worker worker
COPY workflows workflows
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && useradd --system iiifq && install -d -o iiifq /scratch
USER iiifq
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["iiifq"]
CMD ["--help"]
