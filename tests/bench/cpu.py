"""CPU time of processes, from /proc: what a measurement costs tells more than its rate where a virtual machine is noisy."""
import contextlib
import os
import resource

TICKS = os.sysconf("SC_CLK_TCK")


def _fields(pid):
    """Of /proc/<pid>/stat, from the third on: the second, the name, may hold anything."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def children(pid):
    found = []
    for one in os.listdir("/proc"):
        if one.isdigit():
            with contextlib.suppress(OSError):   # it has just ended
                if int(_fields(one)[1]) == pid:
                    found.append(int(one))
    return found


def own(pid):
    """Seconds of one process, all its threads."""
    user, system = _fields(pid)[11:13]
    return (int(user) + int(system)) / TICKS


def tree(pid):
    """Seconds of a process and of its children, also of those that have ended."""
    total = sum(map(int, _fields(pid)[11:15])) / TICKS
    for child in children(pid):
        with contextlib.suppress(OSError):
            total += tree(child)
    return total


def of_children(pid):
    """Seconds of the children of a process: the PostgreSQL of `weir dev`."""
    return sum(tree(child) for child in children(pid))


def waited_for(who=resource.RUSAGE_CHILDREN):
    """Seconds of our children that have ended: of load generators, as servers are stopped at the end."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def ours():
    """Seconds of this process and of its children that have ended."""
    return waited_for() + waited_for(resource.RUSAGE_SELF)


def machine():
    """(ticks in all, ticks that the hypervisor took) since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(word) for word in f.readline().split()[1:9]]
    return sum(ticks), ticks[7]


def resident(pid):
    """Bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024
