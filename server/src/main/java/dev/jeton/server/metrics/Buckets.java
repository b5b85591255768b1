package dev.jeton.server.metrics;

import java.time.Duration;
import java.util.stream.DoubleStream;

/** Bounds of histograms, in seconds. */
final class Buckets {

    private Buckets() {}

    /** From a request to its first token, and its parts. */
    static Duration[] toFirstToken() {
        return seconds(.001, .0025, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80);
    }

    /** Between two tokens. */
    static Duration[] betweenTokens() {
        return seconds(.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5);
    }

    /** Of whole requests. */
    static Duration[] whole() {
        return seconds(.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84);
    }

    static Duration[] seconds(double... values) {
        return DoubleStream.of(values)
                .mapToObj(value -> Duration.ofNanos(Math.round(value * 1e9)))
                .toArray(Duration[]::new);
    }
}
