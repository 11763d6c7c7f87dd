// SimGrid on the flows and paths of a file, for comparison: driver FILE OUT [--step] [SimGrid options].
// FILE, little-endian: int64 links, ranks, flows, entries; float64 capacity[links], bytes[flows], release[flows];
// int32 source[flows], target[flows]; int64 ptr[flows + 1]; int32 link[entries]. A pair of ranks has one path.
// OUT receives float64[flows], finish times. Prints the processor seconds of building the platform and of running; with
// --step, of the first step alone: the solve of all rates and its bookkeeping.
#include <simgrid/s4u.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <unordered_set>
#include <vector>

namespace sg = simgrid::s4u;

static double cpu() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

template <class T> static std::vector<T> take(FILE* file, size_t n) {
    std::vector<T> values(n);
    if (fread(values.data(), sizeof(T), n, file) != n) {
        fprintf(stderr, "the file ends early\n");
        exit(2);
    }
    return values;
}

int main(int argc, char** argv) {
    sg::Engine engine(&argc, argv);
    bool step = argc > 3 && !strcmp(argv[3], "--step");
    FILE* file = fopen(argv[1], "rb");
    auto head = take<int64_t>(file, 4);
    size_t links = head[0], ranks = head[1], flows = head[2];
    auto capacity = take<double>(file, links);
    auto bytes = take<double>(file, flows), release = take<double>(file, flows);
    auto source = take<int32_t>(file, flows), target = take<int32_t>(file, flows);
    auto ptr = take<int64_t>(file, flows + 1);
    auto link = take<int32_t>(file, head[3]);
    fclose(file);

    double begun = cpu();
    auto* zone = sg::create_full_zone("zone");
    std::vector<sg::Host*> hosts;
    for (size_t r = 0; r < ranks; r++) hosts.push_back(zone->create_host(std::to_string(r), 1e9)->seal());
    std::vector<const sg::Link*> wires;
    for (size_t l = 0; l < links; l++) {
        auto* wire = zone->create_link("l" + std::to_string(l), capacity[l]);
        wire->set_latency(0)->seal();
        wires.push_back(wire);
    }
    std::unordered_set<int64_t> known;
    std::vector<std::vector<int32_t>> sends(ranks), takes(ranks);
    for (size_t f = 0; f < flows; f++) {
        sends[source[f]].push_back(f);
        takes[target[f]].push_back(f);
        if (!known.insert(int64_t(source[f]) * ranks + target[f]).second) continue;
        std::vector<sg::LinkInRoute> route;
        for (int64_t j = ptr[f]; j < ptr[f + 1]; j++) route.emplace_back(wires[link[j]]);
        zone->add_route(hosts[source[f]]->get_netpoint(), hosts[target[f]]->get_netpoint(), nullptr, nullptr, route, false);
    }
    zone->seal();

    std::vector<double> answer(flows);
    std::vector<sg::CommPtr> sent(flows), taken(flows);
    std::vector<int*> box(flows);
    static int token;
    for (size_t r = 0; r < ranks; r++)
        sg::Actor::create(std::to_string(r), hosts[r], [&, r] {  // flows of a rank stand in the order of their release
            for (int32_t f : takes[r]) taken[f] = sg::Mailbox::by_name(std::to_string(f))->get_async<int>(&box[f]);
            for (int32_t f : sends[r]) {
                if (release[f] > sg::Engine::get_clock()) sg::this_actor::sleep_until(release[f]);
                sent[f] = sg::Mailbox::by_name(std::to_string(f))->put_async(&token, bytes[f]);
            }
            if (step) return;
            for (int32_t f : takes[r]) {
                taken[f]->wait();
                answer[f] = taken[f]->get_finish_time();
            }
            for (int32_t f : sends[r]) sent[f]->wait();
        });
    double taking = 0;
    if (step)
        sg::Actor::create("clock", hosts[0], [&] {
            sg::this_actor::yield();
            sg::this_actor::yield();
            double before = cpu();
            sg::this_actor::sleep_for(1.0);  // rates are solved to find out what happens first
            taking = cpu() - before;
            printf("{\"step_s\": %.6f}\n", taking);
            fflush(stdout);
            _Exit(0);
        });
    double built = cpu();
    engine.run();
    printf("{\"build_s\": %.6f, \"run_s\": %.6f}\n", built - begun, cpu() - built);
    FILE* out = fopen(argv[2], "wb");
    fwrite(answer.data(), sizeof(double), flows, out);
    fclose(out);
    return 0;
}
