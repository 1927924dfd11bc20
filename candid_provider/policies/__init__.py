"""What a failure means for the tries that a task has left."""
