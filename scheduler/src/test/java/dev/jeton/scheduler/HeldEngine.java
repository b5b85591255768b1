package dev.jeton.scheduler;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import java.util.concurrent.CountDownLatch;

/** An engine around another whose steps do not land before it is told so. */
final class HeldEngine implements Engine {

    private final Engine engine;
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);

    HeldEngine(Engine engine) {
        this.engine = engine;
    }

    /** Waits until the loop waits for a step. */
    void awaitHeld() throws InterruptedException {
        entered.await();
    }

    boolean held() {
        return released.getCount() > 0;
    }

    void release() {
        released.countDown();
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
        entered.countDown();
        try {
            released.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody interrupts the loop", e);
        }
        return engine.await(ticket);
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        engine.transfer(group, from, to, count);
    }

    @Override
    public void close() {
        engine.close();
    }
}
