"""One access token for many processes: credentials, stores, the refresh protocol and the httpx auth on top."""
