"""Files behind signed URLs."""
