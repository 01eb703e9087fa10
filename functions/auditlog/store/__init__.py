"""What AWS keeps for us: the only package that imports boto3.

Each class wraps one resource and says in its docstrings what holds: consistency,
atomicity, idempotency, and the cost in read and write units. AWS errors are
translated here, in `aws.translated`, and nowhere else.
"""
