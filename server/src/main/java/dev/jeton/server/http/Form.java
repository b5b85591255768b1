package dev.jeton.server.http;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.multipart.Attribute;
import io.netty.handler.codec.http.multipart.DefaultHttpDataFactory;
import io.netty.handler.codec.http.multipart.FileUpload;
import io.netty.handler.codec.http.multipart.HttpPostMultipartRequestDecoder;
import io.netty.handler.codec.http.multipart.HttpPostRequestDecoder;
import io.netty.handler.codec.http.multipart.HttpPostRequestDecoder.EndOfDataDecoderException;
import io.netty.handler.codec.http.multipart.HttpPostRequestDecoder.ErrorDataDecoderException;
import io.netty.handler.codec.http.multipart.HttpPostRequestDecoder.TooLongFormFieldException;
import io.netty.handler.codec.http.multipart.HttpPostRequestDecoder.TooManyFormFieldsException;
import io.netty.handler.codec.http.multipart.InterfaceHttpData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * A form (RFC 7578) whose files go to disk as they arrive. Files that nobody has taken from where they are go with
 * {@link #close}.
 */
public final class Form implements AutoCloseable {

    /** Bytes of a form beside its files: fields, heads and boundaries. */
    public static final int FRAME = 256 << 10;

    private static final int MOST_FIELDS = 64;
    private static final int MOST_FIELD_BYTES = 16 << 10;
    private static final int MOST_BUFFERED = 8 << 10;

    /**
     * A file of a form.
     *
     * @param name as the client has it
     * @param content where it is
     */
    public record Upload(String name, Path content) {}

    private final Map<String, String> fields = new HashMap<>();
    private final Map<String, Upload> files = new HashMap<>();
    private final Path folder;

    private Form(Path folder) {
        this.folder = folder;
    }

    /**
     * Reads a body that is {@link Exchange#arriving} to its end.
     *
     * @param folder where files are written
     * @param arrived told of the bytes of each part before it goes there; may refuse them
     * @throws FormException where it is no form
     * @throws UncheckedIOException where the disk fails
     * @throws UnfinishedBodyException where it does not arrive
     */
    public static Form read(Exchange exchange, Path folder, IntConsumer arrived) throws InterruptedException {
        Form form = new Form(folder);
        boolean whole = false;
        try {
            form.take(exchange, arrived);
            whole = true;
            return form;
        } finally {
            if (!whole) {
                form.close();
            }
        }
    }

    private void take(Exchange exchange, IntConsumer arrived) throws InterruptedException {
        HttpRequest head = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/");
        head.headers()
                .set(
                        HttpHeaderNames.CONTENT_TYPE,
                        exchange.header("content-type").orElse(""));
        if (!HttpPostRequestDecoder.isMultipart(head)) {
            throw new FormException("the body must be a form, multipart/form-data with a boundary");
        }
        DefaultHttpDataFactory factory = new DefaultHttpDataFactory(MOST_FIELD_BYTES);
        factory.setBaseDir(folder.toString());
        factory.setDeleteOnExit(false);
        HttpPostMultipartRequestDecoder decoder = decoder(factory, head);
        try {
            for (byte[] part = exchange.arriving().next();
                    part.length > 0;
                    part = exchange.arriving().next()) {
                arrived.accept(part.length);
                decoder.offer(new DefaultHttpContent(Unpooled.wrappedBuffer(part)));
                take(decoder);
            }
            decoder.offer(LastHttpContent.EMPTY_LAST_CONTENT);
            take(decoder);
            if (decoder.currentPartialHttpData() != null) {
                throw new FormException("the form has no end: its last boundary is missing");
            }
        } catch (TooManyFormFieldsException e) {
            throw new FormException("the form has more than %d fields".formatted(MOST_FIELDS), e);
        } catch (TooLongFormFieldException e) {
            throw new FormException("the form has a field, or a head of one, that is too long", e);
        } catch (ErrorDataDecoderException | IllegalArgumentException | IndexOutOfBoundsException e) {
            if (e.getCause() instanceof IOException disk) {
                throw new UncheckedIOException("a file of a form cannot be kept", disk);
            }
            throw new FormException("the form cannot be read: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException("a file of a form cannot be kept", e);
        } finally {
            decoder.destroy();
            factory.cleanAllHttpData();
        }
    }

    private static HttpPostMultipartRequestDecoder decoder(DefaultHttpDataFactory factory, HttpRequest head) {
        try {
            return new HttpPostMultipartRequestDecoder(
                    factory, head, StandardCharsets.UTF_8, MOST_FIELDS, MOST_BUFFERED);
        } catch (ErrorDataDecoderException e) {
            throw new FormException("the form cannot be read: " + e.getMessage(), e);
        }
    }

    /** Takes what is whole. */
    private void take(HttpPostMultipartRequestDecoder decoder) throws IOException {
        try {
            while (decoder.hasNext()) {
                InterfaceHttpData data = decoder.next();
                if (data == null) {
                    return;
                }
                take(data);
            }
        } catch (EndOfDataDecoderException e) {
            // All that the form has was taken.
            return;
        }
    }

    private void take(InterfaceHttpData data) throws IOException {
        switch (data) {
            case FileUpload file -> {
                Path content = Files.createTempFile(folder, "form", "");
                Upload before = files.put(file.getName(), new Upload(file.getFilename(), content));
                file.renameTo(content.toFile());
                if (before != null) {
                    Files.deleteIfExists(before.content());
                    throw new FormException("the form has '%s' more than once".formatted(file.getName()));
                }
            }
            case Attribute attribute -> {
                if (attribute.length() > MOST_FIELD_BYTES) {
                    throw new FormException("the form's field '%s' has more than %d bytes"
                            .formatted(attribute.getName(), MOST_FIELD_BYTES));
                }
                if (fields.put(attribute.getName(), attribute.getValue()) != null) {
                    throw new FormException("the form has '%s' more than once".formatted(attribute.getName()));
                }
            }
            default -> throw new FormException("the form has something that is neither a field nor a file");
        }
    }

    /** The text of a field. */
    public Optional<String> field(String name) {
        return Optional.ofNullable(fields.get(name));
    }

    /** A file. */
    public Optional<Upload> file(String name) {
        return Optional.ofNullable(files.get(name));
    }

    @Override
    public void close() {
        try {
            for (Upload file : files.values()) {
                Files.deleteIfExists(file.content());
            }
        } catch (IOException e) {
            throw new FormException("a file that came with a form cannot be removed: " + e.getMessage(), e);
        }
    }
}
