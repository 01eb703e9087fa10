"""The SQS door: inbox to table, and what can never be recorded to the rejects."""
