"""Published figures and measurements against our answers: reads cases, asks the program, judges what it says.

A case is a [[case]] row of a TOML file: `id`, `system`, `kind`, `quantity`, `expected` (a number or a list),
`unit`, `tolerance` (of one key: rel, abs, min or max), `source`; `confidence` and `note` if wanted.
Its [case.compute] table says what to ask of the program, and holds nothing derived from `expected`.

What is asked about:
    topology = "SPEC"                      a spec as on the command line; `prices` = {PART = dollars} in the
                                           place of the catalogue's
    graph = "networkx:hypercube_graph(6)"  a generator of NetworkX with whole numbers, links of `rate_gbps`
    part = "NAME"                          a row of the catalogue
    mode = "NAME"                          a way to drive copper, a row of the catalogue
    model = "NAME"                         a model of `aifabric models`
What is asked:
    describe = "links_by_medium.copper"    a key of `show`, a.b for a key inside; a list of keys gives a list;
                                           a tier or medium that a fabric has none of counts 0
    bill = "PART"                          how many of a part the bill of materials holds
    power = "site.it.typical_w"            a key of `power`, a.b for a key inside; `by_kind.lasers.typical_w`;
                                           `exclude` = ["nic", "host-ends", ...] as on its command line
    capex = "usd"                          dollars of the network, usd, low_usd or high_usd, with `exclude`
    solve = "busbw_gb_per_s"               a key of a result, with `collective`, `size`, `transport` and, if
                                           it matters, `algorithm`, `routing`, `overlap`, `tie`, `shift`,
                                           `permutation`, `seed`, `fidelity`;
                                           `whole_array_us`: time n/(n-1), as if a rank's own share moved too
    limit = "all_to_all_links"             a bound on any wiring of as many switches (fabric/bounding/regular.py)
    goodput = {slice = 1024, ...}          of slices of a pod: `host_availability`, and `fixed`, or `cubes_down`
    availability = "circuits"              of a slice that takes spare cubes, by what counts as outage
    fail = "all_to_all_slower_worst"       what one failure of an `element` costs
    train = {figure = "step_s", ...}       of a training step: `model`, `parallel`; mfu, tokens_per_s, ...;
                                           with `delay_ms` circuits switch between its phases: step_s
    shape = "kv_bytes_per_token"           of a model: params, active_params, multiplied_params
    decode_bound = {figure = "step_s", ...}  what a network alone allows a decode: `tokens`, `link_gb_per_s`
    nameplate = "memory_gb"                a field of a part
    ports_at_gbps = 800                    how many ports of that rate a switch has
    reach_m_at_awg = 26                    metres of a wire gauge that leave no margin in a mode
What becomes of it, in this order:
    times = 2, divide_by = "accelerators"  constants of units and counts, or the number of accelerators
    plus = {...}                           another compute table: this + that
    over, minus, saving_over = {...}       then one of: this / that, this - that, 1 - this / that,
    excess_over = {...}                    or this / that - 1

[[case.compute]] several times gives a list. A figure that hangs on a boundary which its source does not state has
[[case.boundary]] tables, `name` and `compute`, in the place of `compute`: their range has to hold the figure, and one
of them to match it; that one is named. [[left_out]] rows, `id` and `reason`, name what has no model yet.
"""

from fabric.validation.asking import compute
from fabric.validation.judging import Case, Validation, validate
from fabric.validation.reading import Boundary, LeftOut, Published, read_cases

__all__ = ["Boundary", "Case", "LeftOut", "Published", "Validation", "compute", "read_cases", "validate"]
