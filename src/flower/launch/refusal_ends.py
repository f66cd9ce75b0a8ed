# Starts a SuperNode of Flower 1.35 to 1.37 such that a refusal ends it. There the server for its apps
# outlives it, so that the process stays up, looks well and does nothing; one that ends is started
# again, and let in once its SuperLink has forgotten the one before it.
import os
import sys
import traceback

from flwr.supernode.cli import flower_supernode

sys.argv[0] = "flower-supernode"
try:
    code = flower_supernode()
except Exception:
    traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
sys.exit(code)
