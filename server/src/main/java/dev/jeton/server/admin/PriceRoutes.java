package dev.jeton.server.admin;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.Rate;
import dev.jeton.accounting.Reservation;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** {@code /admin/v1/prices} and {@code /admin/v1/reservations}, which are a part of the price book. */
final class PriceRoutes {

    private static final String YAML = "application/yaml; charset=utf-8";
    private static final int MAX_TEXT = 256;

    private final PolicyStore store;
    private final Supplier<PriceBook> inForce;

    /** @param inForce by which requests are priced just now */
    PriceRoutes(PolicyStore store, Supplier<PriceBook> inForce) {
        this.store = store;
        this.inForce = inForce;
    }

    void addTo(AdminRoutes routes) {
        routes.add("GET", "prices", this::get)
                .add("PUT", "prices", this::put)
                .add("DELETE", "prices", this::reset)
                .add("GET", "reservations", this::reservations)
                .add("POST", "reservations", this::reserve)
                .add("DELETE", "reservations/{reservation}", this::cancel);
    }

    private AdminReply get(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        AdminReply reply = AdminReply.of(
                200, policy.version(), YAML, policy.prices().content().getBytes(StandardCharsets.UTF_8));
        reply.headers().put("x-jeton-price-book", policy.prices().version());
        return reply;
    }

    private AdminReply put(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        PriceBook book = prices(() -> PriceBook.parse("prices", call.text()));
        return described(store.change(call.author(), before -> replaced("prices.put", before, book)));
    }

    private AdminReply reset(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        PriceBook ofFile = store.files().prices();
        return described(store.change(
                call.author(),
                before -> before.prices().version().equals(ofFile.version())
                        ? Optional.empty()
                        : Optional.of(Change.gone("prices.reset", ofFile.version()))));
    }

    private Optional<Change> replaced(String action, Policy before, PriceBook book) {
        before.prices().obstacle(book).ifPresent(reason -> {
            throw Rules.conflict("device_prices", reason);
        });
        if (before.prices().version().equals(book.version())) {
            return Optional.empty();
        }
        return Optional.of(Change.set(
                action,
                book.version(),
                AuditEntry.object(
                        "yaml", book.content(), "file", store.files().prices().version())));
    }

    private AdminReply described(Policy policy) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("object").value("price_book");
        out.name("version").value(policy.prices().version());
        out.name("source")
                .value(policy.prices().version().equals(store.files().prices().version()) ? "file" : "admin");
        out.name("in_force")
                .value(inForce.get().version().equals(policy.prices().version()));
        out.name("warning").tree(policy.prices().warning().orElse(null));
        return AdminReply.json(200, policy.version(), out.endObject());
    }

    private static <T> T prices(Supplier<T> reader) {
        try {
            return reader.get();
        } catch (AccountingException e) {
            throw ApiException.invalid("", String.valueOf(e.getMessage()));
        }
    }

    private AdminReply reservations(AdminCall call) {
        call.parameters(List.of());
        return listed(200, store.policy());
    }

    private static AdminReply listed(int status, Policy policy) {
        JsonWriter out = new JsonWriter()
                .beginObject()
                .name("object")
                .value("list")
                .name("data")
                .beginArray();
        for (Reservation reservation : policy.prices().reservations()) {
            Period period = reservation.period();
            out.beginObject();
            out.name("object").value("reservation");
            out.name("id").value(reservation.id());
            out.name("tenant").value(reservation.tenant());
            out.name("device").value(reservation.device());
            out.name("share").value(reservation.share().toString());
            out.name("from").tree(period.from() == Long.MIN_VALUE ? null : Period.text(period.from()));
            out.name("until").tree(period.until() == Long.MAX_VALUE ? null : Period.text(period.until()));
            out.endObject();
        }
        return AdminReply.json(status, policy.version(), out.endArray().endObject());
    }

    private AdminReply reserve(AdminCall call) {
        JsonObject body = call.body(List.of("tenant", "device", "share", "from", "until"), "a reservation");
        Reservation reservation = reservation(body);
        return listed(201, changed("reservation.create", call.author(body), before -> {
            Rules.tenant(before, reservation.tenant());
            List<Reservation> all = new ArrayList<>(before.prices().reservations());
            if (all.stream().anyMatch(other -> other.id().equals(reservation.id()))) {
                throw Rules.exists("reservation", reservation.id());
            }
            all.add(reservation);
            return all;
        }));
    }

    private static Reservation reservation(JsonObject body) {
        String device = body.text("device");
        if (device.length() > MAX_TEXT || !device.matches("[\\x20-\\x7e]*\\*?")) {
            throw body.wrong("device", "'device' must be a device group's name, or a beginning with *");
        }
        Rate share =
                prices(() -> Rate.of(body.value("share").map(String::valueOf).orElse("0")));
        long from = time(body, "from", Long.MIN_VALUE);
        long until = time(body, "until", Long.MAX_VALUE);
        if (from >= until) {
            throw body.wrong("until", "'until' must be after 'from'");
        }
        return new Reservation(Rules.id(body, "tenant"), device, share, new Period(from, until));
    }

    private static long time(JsonObject body, String field, long otherwise) {
        Optional<String> text = body.optionalText(field);
        return text.isEmpty() ? otherwise : prices(() -> Period.begin(ApiException.shown(text.get())));
    }

    private AdminReply cancel(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String id = call.at("reservation");
        return listed(200, changed("reservation.delete", call.author(), before -> {
            List<Reservation> all = new ArrayList<>(before.prices().reservations());
            Reservation gone = all.stream()
                    .filter(reservation -> reservation.id().equals(id))
                    .findFirst()
                    .orElseThrow(() -> Rules.notFound("reservation", id, List.of()));
            all.remove(gone);
            return all;
        }));
    }

    /** Reservations are a part of the price book: another one is another version of it. */
    private Policy changed(String what, Author author, Function<Policy, List<Reservation>> decide) {
        return store.change(author, before -> {
            List<Reservation> all = decide.apply(before);
            PriceBook book = prices(() -> before.prices().withReservations(all));
            return replaced("prices." + what, before, book);
        });
    }
}
