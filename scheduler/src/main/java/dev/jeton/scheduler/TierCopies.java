package dev.jeton.scheduler;

import dev.jeton.kvcache.HostState;
import dev.jeton.kvcache.HostTier;
import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.TierMoves;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LayerGroup;

/**
 * Has the engine copy the blocks that the cache wants on the other tier, and tells the cache which are there.
 *
 * <p>Nothing waits for a copy: each turn asks how many are complete. A sequence whose blocks are being loaded has no
 * row until then, like one whose blocks another sequence computes, and others go on. Copies run beside steps and take
 * none of their time; where the loop has work but no row because of them, the device is in {@link DeviceState#COPY}.
 *
 * <p>Owned by the loop's thread; nothing is allocated.
 */
final class TierCopies {

    /** Blocks handed to the engine in a call. */
    private static final int MOST = 256;

    private final Engine engine;
    private final KvCache kv;
    private final HostTier tier;
    private final int[] blocks = new int[MOST];
    private final int[] hostBlocks = new int[MOST];

    TierCopies(Engine engine, KvCache kv) {
        this.engine = engine;
        this.kv = kv;
        tier = kv.host();
    }

    /** Tells the cache which copies are complete. */
    void poll() {
        if (tier.loads().underWay() > 0) {
            tier.loaded(engine.onloaded());
        }
        if (tier.offloads().underWay() > 0) {
            tier.offloaded(engine.offloaded());
        }
    }

    /** Whether blocks wait to be copied to the device. */
    boolean wantsLoads() {
        return tier.loads().waiting() > 0;
    }

    /** Starts the copies to the device that admissions want; after all copies of forks were handed in. */
    void load() {
        TierMoves loads = tier.loads();
        while (loads.waiting() > 0) {
            int group = loads.nextGroup();
            engine.onload(group, blocks, hostBlocks, loads.start(blocks, hostBlocks));
        }
    }

    /** Starts copying what the device would give away next. */
    void writeBehind() {
        tier.writeBehind();
        TierMoves offloads = tier.offloads();
        while (offloads.waiting() > 0) {
            int group = offloads.nextGroup();
            engine.offload(group, blocks, hostBlocks, offloads.start(blocks, hostBlocks));
        }
    }

    /** Whether copies are under way. */
    boolean copying() {
        return tier.loads().underWay() + tier.offloads().underWay() > 0;
    }

    HostTierStats stats() {
        if (!tier.present()) {
            return HostTierStats.NONE;
        }
        long offloadedBytes = 0;
        long loadedBytes = 0;
        for (int g = 0; g < kv.groups(); g++) {
            LayerGroup group = engine.info().groups().get(g);
            offloadedBytes += tier.offloadedOf(g) * group.bytesPerBlock();
            loadedBytes += tier.loadedOf(g) * group.bytesPerBlock();
        }
        return new HostTierStats(
                tier.count(HostState.FREE),
                tier.count(HostState.FILLING),
                tier.count(HostState.KEPT),
                tier.count(HostState.READING),
                kv.hostHitTokens(),
                tier.offloads().completed(),
                offloadedBytes,
                tier.loads().completed(),
                loadedBytes,
                tier.offloads().underWay(),
                tier.loads().underWay(),
                tier.evictions());
    }
}
