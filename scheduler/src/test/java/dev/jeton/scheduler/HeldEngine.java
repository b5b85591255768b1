package dev.jeton.scheduler;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import java.util.concurrent.CountDownLatch;

/** An engine around another whose steps do not land before it is told so. */
final class HeldEngine extends EngineAround {

    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);

    HeldEngine(Engine engine) {
        super(engine);
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
    public StepResult await(StepTicket ticket) {
        entered.countDown();
        try {
            released.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody interrupts the loop", e);
        }
        return super.await(ticket);
    }
}
