package dev.jeton.server.api;

import dev.jeton.server.config.Configuration;
import java.time.Duration;

/** The endpoints of files and batches, OpenAI's and Anthropic's. */
final class BatchRoutes {

    private BatchRoutes() {}

    /** Adds them. */
    static void add(Routes routes, BatchDesk desk, Configuration configuration) {
        long mostFile = configuration.batches().maxFile();
        Duration stallTimeout = configuration.stream().stallTimeout();
        routes.add(BatchDesk.FILES, new UploadEndpoint(desk, mostFile));
        routes.add(BatchDesk.FILES, new FilesEndpoint(desk));
        routes.add(BatchDesk.FILES + "/{id}", new FileEndpoint(desk));
        routes.add(BatchDesk.FILES + "/{id}", new DeleteFileEndpoint(desk));
        routes.add(BatchDesk.FILES + "/{id}" + FileContentEndpoint.END, new FileContentEndpoint(desk, stallTimeout));
        routes.add(
                BatchDesk.BATCHES,
                new CreateBatchEndpoint(desk, configuration.batches().timeToLive()));
        routes.add(BatchDesk.BATCHES, new BatchesEndpoint(desk));
        routes.add(BatchDesk.BATCHES + "/{id}", new BatchEndpoint(desk));
        routes.add(BatchDesk.BATCHES + "/{id}" + CancelBatchEndpoint.END, new CancelBatchEndpoint(desk));
        String messages = MessageBatches.PATH;
        routes.add(messages, new CreateMessageBatchEndpoint(desk, configuration));
        routes.add(messages, MessageBatchEndpoint.list(desk));
        routes.add(messages + "/{id}", MessageBatchEndpoint.look(desk));
        routes.add(messages + "/{id}", MessageBatchEndpoint.delete(desk));
        routes.add(messages + "/{id}" + MessageBatches.CANCEL, MessageBatchEndpoint.cancel(desk));
        routes.add(messages + "/{id}" + MessageBatches.RESULTS, new MessageResultsEndpoint(desk, stallTimeout));
    }
}
