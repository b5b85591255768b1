package dev.jeton.server.config;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Durations ({@code 250ms}, {@code 30s}, {@code 5m}, {@code 2h}) and sizes ({@code 512}, {@code 64KiB}, {@code 2GiB}).
 */
public final class Units {

    private static final Pattern QUANTITY = Pattern.compile("(\\d{1,15})\\s*([A-Za-z]*)");

    private static final Map<String, Duration> TIMES = Map.of(
            "ms",
            Duration.ofMillis(1),
            "s",
            Duration.ofSeconds(1),
            "m",
            Duration.ofMinutes(1),
            "h",
            Duration.ofHours(1));

    private static final Map<String, Long> SIZES = Map.ofEntries(
            Map.entry("", 1L),
            Map.entry("B", 1L),
            Map.entry("KiB", 1L << 10),
            Map.entry("MiB", 1L << 20),
            Map.entry("GiB", 1L << 30),
            Map.entry("TiB", 1L << 40),
            Map.entry("KB", 1_000L),
            Map.entry("MB", 1_000_000L),
            Map.entry("GB", 1_000_000_000L));

    private Units() {}

    /** The duration that a text says; anything else is a {@link ConfigException}. */
    public static Duration duration(String text) {
        Matcher matcher = QUANTITY.matcher(text.strip());
        Duration unit = matcher.matches() ? TIMES.get(matcher.group(2)) : null;
        if (unit == null) {
            throw new ConfigException("a duration with its unit is expected, as in 250ms, 30s, 5m or 2h");
        }
        try {
            return unit.multipliedBy(Long.parseLong(matcher.group(1)));
        } catch (ArithmeticException e) {
            throw new ConfigException("the duration is too long");
        }
    }

    static long size(String text) {
        Matcher matcher = QUANTITY.matcher(text.strip());
        Long unit = matcher.matches() ? SIZES.get(matcher.group(2)) : null;
        if (unit == null) {
            throw new ConfigException("a size is expected, as in 4096, 64KiB, 512MiB or 2GiB");
        }
        try {
            return Math.multiplyExact(unit, Long.parseLong(matcher.group(1)));
        } catch (ArithmeticException e) {
            throw new ConfigException("the size is too large");
        }
    }

    /** A duration as {@link #duration} reads it. */
    public static String durationText(Duration time) {
        for (String unit : List.of("h", "m", "s")) {
            long nanos = TIMES.getOrDefault(unit, Duration.ZERO).toNanos();
            if (time.toNanos() >= nanos && time.toNanos() % nanos == 0) {
                return time.toNanos() / nanos + unit;
            }
        }
        return time.toMillis() + "ms";
    }

    static String sizeText(long bytes) {
        for (String unit : List.of("TiB", "GiB", "MiB", "KiB")) {
            long size = SIZES.getOrDefault(unit, 1L);
            if (bytes >= size && bytes % size == 0) {
                return bytes / size + unit;
            }
        }
        return bytes + "B";
    }
}
