# Starts a SuperLink of Flower 1.26 or 1.27 with the lock that 1.28 brought: without it, threads that
# need a new database at the same moment create its tables side by side and may leave it unusable.
import sys
from threading import RLock

from flwr.server.app import run_superlink
from flwr.server.superlink.linkstate.linkstate_factory import LinkStateFactory
from flwr.supercore.object_store.object_store_factory import ObjectStoreFactory

lock = RLock()


def alone(opens):
    def opened(factory):
        with lock:
            return opens(factory)

    return opened


LinkStateFactory.state = alone(LinkStateFactory.state)
ObjectStoreFactory.store = alone(ObjectStoreFactory.store)
sys.argv[0] = "flower-superlink"
sys.exit(run_superlink())
