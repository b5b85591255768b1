package dev.jeton.models;

/** A chat template could not be parsed or rendered; the message is fit for the client. */
public final class TemplateException extends RuntimeException {

    /** With what happened and where. */
    public TemplateException(String message) {
        super(message);
    }
}
