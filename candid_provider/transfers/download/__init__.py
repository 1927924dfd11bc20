"""Files behind signed URLs onto object storage, with what can be said of them."""

from candid_provider.transfers.download.fetching import Fetched, fetch

__all__ = ["Fetched", "fetch"]
