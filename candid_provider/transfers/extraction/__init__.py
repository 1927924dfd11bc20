"""The engine under ``CandidToObjectStorageOperator``: pages into parts, in constant memory, with exact resume."""
