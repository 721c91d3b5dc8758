"""Removes from the store what an asset has no more: it was deleted, or made by other policies."""

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.keys import every_key, place
from activities.store import Store
from projection import asset
from projection.database import Pool, transaction
from projection.processing import AssetClaimed
from workflows.contracts import ASSET_CLAIMED, REMOVE_DERIVATIVES


@dataclass(frozen=True)
class DeletionActivities:
    """Under a claim on the asset, so that no processing writes what is being removed."""

    pool: Pool
    store: Store

    @activity.defn(name=REMOVE_DERIVATIVES)
    async def remove_derivatives(self, deletion_id: int) -> None:
        """Removes what the asset left, and leaves what belongs to the one that has its id now."""
        try:
            async with transaction(self.pool) as connection:
                deletion = await asset.begin_deletion(connection, deletion_id)
        except AssetClaimed as claimed:
            raise ApplicationError(
                f"the asset is held by {claimed.holder}",
                type=ASSET_CLAIMED,
                category=ApplicationErrorCategory.BENIGN,
            ) from claimed
        if deletion is None:
            return
        async with transaction(self.pool) as connection:
            kept = await asset.kept_keys(connection, deletion)
        left = {made["key"] for made in deletion.derivatives}
        left |= every_key(deletion.customer_id, deletion.space_id, deletion.asset_id)
        below = place(deletion.customer_id, deletion.space_id, deletion.asset_id)
        left |= await self.store.under(f"thumbs/{below}")
        await self.store.delete(sorted(left - kept))
        async with transaction(self.pool) as connection:
            await asset.end_deletion(connection, deletion_id)
