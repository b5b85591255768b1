package dev.jeton.server.batch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Batches on disk: how far each is, and what came of its requests until it ends. */
final class BatchRecords {

    private static final String RECORD = ".json";

    private final Path folder;

    /** @param below folder in which batches have one of their own */
    BatchRecords(Path below) {
        folder = below.resolve("batches");
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    /** All that are there. */
    List<Batch> read() {
        List<Batch> batches = new ArrayList<>();
        try {
            for (Path file : Folders.list(folder)) {
                String name = file.getFileName().toString();
                if (name.endsWith(RECORD)) {
                    String id = name.substring(0, name.length() - RECORD.length());
                    batches.add(BatchFormat.read(id, Files.readAllBytes(file)));
                }
            }
            return batches;
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    void write(Batch batch) {
        try {
            Folders.write(folder.resolve(batch.id() + RECORD), BatchFormat.write(batch));
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    void remove(Batch batch) {
        try {
            Files.deleteIfExists(answers(batch));
            Files.deleteIfExists(errors(batch));
            Files.deleteIfExists(folder.resolve(batch.id() + RECORD));
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    /** What was answered, a line each. */
    Path answers(Batch batch) {
        return folder.resolve(batch.id() + ".answers.jsonl");
    }

    /** What was not, a line each. */
    Path errors(Batch batch) {
        return folder.resolve(batch.id() + ".errors.jsonl");
    }

    /** Bytes of both. */
    long resultBytes(Batch batch) {
        try {
            long bytes = 0;
            for (Path file : List.of(answers(batch), errors(batch))) {
                bytes += Files.exists(file) ? Files.size(file) : 0;
            }
            return bytes;
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }
}
