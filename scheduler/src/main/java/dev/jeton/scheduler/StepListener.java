package dev.jeton.scheduler;

/** Hears of every step; called by the step loop's thread, so it must be quick, must not block and not throw. */
public interface StepListener {

    /** Nobody listens. */
    StepListener NONE = record -> {};

    /** A step was attributed. The record is reused: copy what is kept. */
    void onStep(StepRecord record);
}
