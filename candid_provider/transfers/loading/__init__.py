"""The loading engine: lines of JSON into records at Candid, each once."""
