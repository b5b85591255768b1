package dev.jeton.scheduler;

/** Hears of every step; called by the step loop's thread, so it must be quick, must not block and not throw. */
public interface StepListener {

    /** Nobody listens. */
    StepListener NONE = record -> {};

    /** Two listeners as one; the first hears first. */
    static StepListener both(StepListener first, StepListener second) {
        return new StepListener() {
            @Override
            public void onState(DeviceState state, long now) {
                first.onState(state, now);
                second.onState(state, now);
            }

            @Override
            public void onStep(StepRecord record) {
                first.onStep(record);
                second.onStep(record);
            }
        };
    }

    /**
     * The device begins to do something else for this engine. States that last have one call at their beginning, and
     * {@link DeviceState#STEP} begins when the first of several steps in flight is launched.
     *
     * @param now not before any earlier call's
     */
    default void onState(DeviceState state, long now) {}

    /** A step was attributed. The record is reused: copy what is kept. */
    void onStep(StepRecord record);
}
