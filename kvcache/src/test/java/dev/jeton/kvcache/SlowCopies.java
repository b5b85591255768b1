package dev.jeton.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Random;

/**
 * Copies blocks between the tiers as an engine may at worst: it begins and ends as late as it likes, reads a source
 * both when it begins and when it ends, and leaves rubbish in a target until then.
 */
final class SlowCopies {

    private static final String RUBBISH = "being copied";

    private record Copy(int group, int device, int host, String[] source) {}

    private final HostTier tier;
    private final String[][][] device;
    private final String[][][] host;
    private final Deque<Copy> loads = new ArrayDeque<>();
    private final Deque<Copy> offloads = new ArrayDeque<>();

    SlowCopies(HostTier tier, String[][][] device, int hostBlocks) {
        this.tier = tier;
        this.device = device;
        host = new String[device.length][hostBlocks][];
    }

    /** Begins or ends some. */
    void goOn(Random random) {
        if (random.nextInt(3) == 0) {
            begin(1 + random.nextInt(5));
        }
        end(loads, random.nextInt(4));
        end(offloads, random.nextInt(4));
        tell();
    }

    /** Ends all. */
    void finish() {
        begin(1_000);
        end(loads, loads.size());
        end(offloads, offloads.size());
        tell();
        assertThat(tier.loads().underWay() + tier.offloads().underWay()).isZero();
    }

    private void tell() {
        tier.loaded(loadsDone);
        tier.offloaded(offloadsDone);
    }

    private long loadsDone;
    private long offloadsDone;

    private void begin(int most) {
        int[] devices = new int[most];
        int[] hosts = new int[most];
        while (tier.loads().waiting() > 0) {
            int group = tier.loads().nextGroup();
            int count = tier.loads().start(devices, hosts);
            for (int i = 0; i < count; i++) {
                loads.add(new Copy(group, devices[i], hosts[i], host[group][hosts[i]].clone()));
                Arrays.fill(device[group][devices[i]], RUBBISH);
            }
        }
        while (tier.offloads().waiting() > 0) {
            int group = tier.offloads().nextGroup();
            int count = tier.offloads().start(devices, hosts);
            for (int i = 0; i < count; i++) {
                offloads.add(new Copy(group, devices[i], hosts[i], device[group][devices[i]].clone()));
                host[group][hosts[i]] = new String[] {RUBBISH};
            }
        }
    }

    private void end(Deque<Copy> copies, int most) {
        for (int i = 0; i < most && !copies.isEmpty(); i++) {
            Copy copy = copies.remove();
            String[] onDevice = device[copy.group][copy.device];
            if (copies == loads) {
                assertThat(host[copy.group][copy.host])
                        .as("read while it was loaded")
                        .isEqualTo(copy.source);
                assertThat(onDevice).as("not yet loaded").containsOnly(RUBBISH);
                System.arraycopy(copy.source, 0, onDevice, 0, onDevice.length);
                loadsDone++;
            } else {
                assertThat(onDevice).as("read while it was offloaded").isEqualTo(copy.source);
                host[copy.group][copy.host] = copy.source;
                offloadsDone++;
            }
        }
    }
}
