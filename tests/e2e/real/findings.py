# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what ioprof found with what the generator saw, and names every difference at once."""

LOCK_CONTENDED = 0.05  # of the service time
WAITS = ("network", "client", "disk", "lock", "sleep", "child", "other")


class Findings:
    """What ioprof says about one service of a document."""

    def __init__(self, document, index=0):
        self.document = document
        self.service = document["services"][index]
        self.problems = []
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        if kind is None:
            print(self.summary())
            assert not self.problems, "\n".join([*self.problems, self.summary()])

    def expect(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    @property
    def service_time_s(self):
        return self.service["service_time_s"]["mean"]

    @property
    def latency_s(self):
        return self.service["queue_wait_s"]["mean"] + self.service_time_s

    def part_s(self, name):
        per_request = self.service["per_request"]
        return per_request["wait_s"][name] if name in WAITS else per_request[f"{name}_s"]

    def cpu_inside(self):
        """The share of all CPU that was spent within requests."""
        return self.part_s("cpu") * self.service["requests"]["completed"] / self.service["cpu_total_s"]

    def peer(self, address):
        found = [peer for peer in self.service["peers"] if peer["address"] == address]
        return found[0] if found else None

    def expect_requests(self, load):
        completed = self.service["requests"]["completed"]
        self.seen = f"{load.generator}: {load.at_least}..{load.at_most} requests, {load.mean_s * 1e3:.3f} ms"
        self.expect(load.at_least <= completed <= load.at_most,
                    f"requests: {load.generator} sent {load.at_least}..{load.at_most}, found {completed}")

    def expect_latency(self, load, tolerance=0.05):
        difference = self.latency_s / load.mean_s - 1
        self.expect(abs(difference) <= tolerance,
                    f"latency: {load.generator} saw {load.mean_s * 1e3:.3f} ms, found {self.latency_s * 1e3:.3f} ms "
                    f"({difference:+.1%})")

    def expect_model(self, model):
        found = self.service["concurrency_model"]
        self.expect(found == model, f"concurrency model: {model} expected, found {found}")

    def expect_sound(self):
        """What holds for every service: the books close, nothing was lost, no number is absurd."""
        closure = self.document["quality"]["closure"]
        self.expect(0.97 <= closure <= 1.03, f"closure {closure:.4f}")
        # An event in an interrupt above a program that runs already is skipped by the kernel; ioprof can only count it.
        events = sum(program["runs"] for program in self.document["overhead"]["programs"])
        allowed = {"recursion": max(3, events // 5000)}
        lost = {name: n for name, n in self.document["losses"].items() if n > allowed.get(name, 0)}
        self.expect(not lost, f"losses: {lost}")
        for name in (*WAITS, "cpu", "run_queue", "overlapped", "unattributed"):
            self.expect(0 <= self.part_s(name) <= self.service_time_s * 1.03 + self.service["per_request"]["parallel_s"],
                        f"{name} {self.part_s(name)} s of a service time of {self.service_time_s} s")
        busy = self.service["workers"]["busy_fraction"]
        self.expect(busy is not None and 0 <= busy <= 1, f"busy fraction {busy}")

    def expect_workers(self, count):
        """So many of them, busy for as long as their requests took, each with one at a time, and for what they compute, or
        wait for a processor to compute, between requests: accept, close, wake up. Of that, what is within requests of
        others' work cannot be taken out; then it is an upper bound. So is all, where threads wait for an interpreter's lock
        that is hardly free: they do so between requests, too."""
        workers, duration_s = self.service["workers"], self.document["interval"]["duration_s"]
        self.expect(workers["count"] == count, f"workers: {count} expected, found {workers['count']}")
        completed = self.service["requests"]["completed"]
        least_s = most_s = completed * self.service_time_s
        lanes = [lane for lane in self.service["lanes"] if lane["serving"]]
        if self.service["evidence"]["handed_off"]:
            most_s += sum(lane["run_queue_ns"] for lane in lanes) / 1e9
        else:
            most_s += sum(lane["cpu_ns"] + lane["run_queue_ns"] for lane in lanes) / 1e9
            most_s -= completed * (self.part_s("cpu") + self.part_s("run_queue"))
            least_s = most_s
        least, most = (each / (duration_s * count) for each in (least_s, most_s))
        if self.part_s("lock") > LOCK_CONTENDED * self.service_time_s:
            most = 1
        self.expect(least - 0.05 <= workers["busy_fraction"] <= most + 0.05,
                    f"busy fraction: {least:.3f} to {most:.3f} expected, found {workers['busy_fraction']:.3f}")

    def expect_operations(self, load, address, per_request):
        """
        Exactly per_request operations for each completed request, all of them with the peer at address. The peer also
        counts those of the requests that the generator's end cut off; on an event loop, where it is inferred which request
        an operation belongs to, those may have changed places with others.
        """
        completed = self.service["requests"]["completed"]
        operations = self.service["per_request"]["operations"]
        cut_off = load.at_most - load.at_least if self.service["concurrency_model"].startswith("event-loop") else 0
        self.expect(abs(round(operations * completed, 3) - per_request * completed) <= per_request * cut_off,
                    f"operations: {per_request} per request expected, found {operations}")
        peer = self.peer(address)
        self.expect(peer, f"no peer {address} among {[p['address'] for p in self.service['peers']]}")
        if peer:
            with_peer = round(peer["operations_per_request"] * completed)
            least, most = per_request * completed, per_request * load.at_most
            self.expect(least <= with_peer <= most, f"operations with {address}: {least}..{most} expected, found {with_peer}")

    def expect_nothing_outside(self):
        """All that the peers and the processors were asked for was asked for by requests; a little CPU is the server's own."""
        outside = {peer["address"]: peer["operations_outside"] for peer in self.service["peers"] if peer["operations_outside"]}
        self.expect(not outside, f"operations outside requests: {outside}")
        inside = self.cpu_inside()
        self.expect(0.85 <= inside <= 1.01, f"CPU inside requests: 85 % of all at least, found {inside:.1%}")

    def expect_part(self, name, at_least=0.0, at_most=1.0):
        """A part's share of the service time."""
        share = self.part_s(name) / self.service_time_s
        self.expect(at_least <= share <= at_most,
                    f"{name}: {at_least:.1%}..{at_most:.1%} of the service time expected, found {share:.1%}")

    def summary(self):
        service = self.service
        parts = {name: self.part_s(name) * 1e3 for name in (*WAITS, "cpu", "run_queue", "overlapped", "unattributed")}
        return "\n".join([
            self.seen,
            f"{service['name']}: {service['concurrency_model']}, {service['requests']['completed']} requests, "
            f"queue wait {service['queue_wait_s']['mean'] * 1e3:.3f} + service time {self.service_time_s * 1e3:.3f} "
            f"= {self.latency_s * 1e3:.3f} ms, closure {self.document['quality']['closure']:.4f}, "
            f"operations {service['per_request']['operations']:.3f}, waits {service['per_request']['waits']:.3f}",
            "  ms: " + ", ".join(f"{name} {ms:.3f}" for name, ms in parts.items() if ms),
            "  peers: " + ", ".join(f"{peer['address']} {peer['operations_per_request']:.3f} x"
                                    for peer in service["peers"]),
        ])
