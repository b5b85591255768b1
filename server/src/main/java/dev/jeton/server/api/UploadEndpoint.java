package dev.jeton.server.api;

import dev.jeton.server.batch.BatchOwner;
import dev.jeton.server.batch.FileStore;
import dev.jeton.server.batch.StoredFile;
import dev.jeton.server.http.Form;
import dev.jeton.server.http.FormException;
import java.io.UncheckedIOException;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code POST /v1/files}: a file with requests of a batch, in a form, is kept. */
final class UploadEndpoint implements Endpoint {

    private static final Logger LOG = LoggerFactory.getLogger(UploadEndpoint.class);
    private static final long LEAST_LIFE = 3_600;
    private static final long MOST_LIFE = 2_592_000;

    private final BatchDesk desk;
    private final long mostBytes;

    /** @param mostBytes most bytes of a file */
    UploadEndpoint(BatchDesk desk, long mostBytes) {
        this.desk = desk;
        this.mostBytes = mostBytes;
    }

    @Override
    public String name() {
        return "files_upload";
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        var files = desk.files();
        call.refuseCompressed();
        BatchOwner owner = BatchDesk.owner(call);
        try (FileStore.Arrival room = files.arrival(owner);
                Form form = Form.read(call.exchange(), files.incoming(), room::take)) {
            String purpose = form.field("purpose")
                    .orElseThrow(() -> ApiException.invalid("purpose", "'purpose' is missing; it must be 'batch'"));
            if (!purpose.equals(StoredFile.INPUT)) {
                throw ApiException.invalid(
                        "purpose",
                        "'purpose' is '%s'; files are kept for batches only, with 'batch'"
                                .formatted(ApiException.shown(purpose)));
            }
            Form.Upload file = form.file("file")
                    .orElseThrow(() -> ApiException.invalid("file", "'file' is missing, the file itself"));
            long life = lifetime(form);
            room.close();
            StoredFile kept = files.add(owner, file.name(), purpose, file.content(), mostBytes, life);
            call.answer(FileJson.write(call.writer(), kept));
        } catch (FormException e) {
            throw ApiException.invalid("", String.valueOf(e.getMessage()));
        } catch (UncheckedIOException e) {
            LOG.error("a file was not kept", e);
            throw ApiException.unavailable(
                    "storage_failed", "The file cannot be kept: the server's disk fails; its log says why");
        }
    }

    private static long lifetime(Form form) {
        Optional<String> anchor = form.field("expires_after[anchor]");
        Optional<String> seconds = form.field("expires_after[seconds]");
        if (anchor.isEmpty() && seconds.isEmpty()) {
            return 0;
        }
        if (!anchor.orElse("").equals("created_at")) {
            throw ApiException.invalid("expires_after.anchor", "'expires_after.anchor' must be 'created_at'");
        }
        String text = seconds.orElse("");
        long life = text.matches("[0-9]{1,9}") ? Long.parseLong(text) : 0;
        if (life < LEAST_LIFE || life > MOST_LIFE) {
            throw ApiException.invalid(
                    "expires_after.seconds",
                    "'expires_after.seconds' must be from %d to %d, but is '%s'"
                            .formatted(LEAST_LIFE, MOST_LIFE, ApiException.shown(text)));
        }
        return life;
    }
}
