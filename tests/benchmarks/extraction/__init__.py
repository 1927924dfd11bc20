"""What it costs to extract a listing to a file: this provider, two floors and the peers."""
