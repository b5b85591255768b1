package dev.jeton.natives;

/** Whether a GPU is divided into instances. */
public enum MigMode {
    /** It cannot be. */
    UNSUPPORTED,
    /** It is whole. */
    OFF,
    /** It is divided: utilisation of the whole is not known. */
    ON
}
