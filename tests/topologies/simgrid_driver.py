"""Run in the Python that has SimGrid: PLATFORM FLOWS [SimGrid options]; flows as JSON, answers as JSON on stdout.

FLOWS: {"hosts": names in rank order, "flows": [source rank, target rank, bytes]}, all sent at time 0.
The answer: when each flow is done, the links of the route of each pair in order, every link's rate and latency.
"""

import json
import sys

from simgrid import Actor, Engine, Host, Mailbox


def main():
    with open(sys.argv[2]) as file:
        case = json.load(file)
    engine = Engine([sys.argv[0], *sys.argv[3:]])
    engine.load_platform(sys.argv[1])
    hosts = [Host.by_name(name) for name in case["hosts"]]
    flows = case["flows"]
    done = [0.0] * len(flows)
    routes = {f"{s} {t}": None for s, t, _ in flows}

    def rank(own):
        if own == 0:  # zones are only complete once the engine runs
            for pair in routes:
                s, t = map(int, pair.split())
                links, latency = hosts[s].route_to(hosts[t])
                routes[pair] = {"links": [link.name for link in links], "latency": latency}
        taken = [Mailbox.by_name(str(f)).get_async() for f, flow in enumerate(flows) if flow[1] == own]
        sent = {f: Mailbox.by_name(str(f)).put_async("", flow[2]) for f, flow in enumerate(flows) if flow[0] == own}
        for comm in taken:
            (comm[0] if isinstance(comm, tuple) else comm).wait()
        for f, comm in sent.items():
            comm.wait()
            done[f] = comm.finish_time

    for own in range(len(hosts)):
        Actor.create(f"rank-{own}", hosts[own], rank, own)
    engine.run()
    links = {link.name: {"bandwidth": link.bandwidth, "latency": link.latency} for link in engine.all_links}
    print(json.dumps({"makespan": engine.clock, "done": done, "routes": routes, "links": links}))


main()
