package dev.jeton.server.json;

/** JSON that cannot be read; the message is fit for the client. */
public final class JsonException extends RuntimeException {

    private final String field;

    /**
     * @param field path of the field at fault ({@code messages[0].content}), or empty for the document as a whole
     * @param message what is wrong and what is expected
     */
    public JsonException(String field, String message) {
        super(message);
        this.field = field;
    }

    /** Path of the field at fault, or empty. */
    public String field() {
        return field;
    }
}
