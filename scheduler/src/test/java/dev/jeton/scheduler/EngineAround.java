package dev.jeton.scheduler;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;

/** An engine that does what another does; others change some of it. */
abstract class EngineAround implements Engine {

    private final Engine engine;

    EngineAround(Engine engine) {
        this.engine = engine;
    }

    @Override
    public EngineInfo info() {
        return engine.info();
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        engine.open(slot, spec);
    }

    @Override
    public void close(int slot) {
        engine.close(slot);
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        return engine.launch(batch);
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        engine.masks(ticket, masks);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        return engine.await(ticket);
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        engine.transfer(group, from, to, count);
    }

    @Override
    public void copyState(int from, int to) {
        engine.copyState(from, to);
    }

    @Override
    public void offload(int group, int[] blocks, int[] hostBlocks, int count) {
        engine.offload(group, blocks, hostBlocks, count);
    }

    @Override
    public void onload(int group, int[] blocks, int[] hostBlocks, int count) {
        engine.onload(group, blocks, hostBlocks, count);
    }

    @Override
    public long offloaded() {
        return engine.offloaded();
    }

    @Override
    public long onloaded() {
        return engine.onloaded();
    }

    @Override
    public void close() {
        engine.close();
    }
}
