from tests.functional.conftest import World, an_event
import time
def test_x(world: World) -> None:
    t=time.perf_counter()
    print(world.publish(an_event(), an_event()))
    print(world.search().json)
    print(time.perf_counter()-t)
def test_y(world: World) -> None:
    t=time.perf_counter()
    i=world.ask_export(format="json")
    world.work(i)
    print(world.shown(i), world.file(i))
    print(time.perf_counter()-t)
