package dev.jeton.server.reports;

/** Who reads, and so what is shown. */
public enum Audience {
    /** Sees everything. */
    OPERATOR(true, true),
    /** An operator who looks at one tenant: nothing that is no tenant's. */
    OPERATOR_OF_ONE(true, false),
    /** A tenant: nothing that depends on what other tenants did, as device time and what it cost do. */
    TENANT(false, false);

    private final boolean metered;
    private final boolean house;

    Audience(boolean metered, boolean house) {
        this.metered = metered;
        this.house = house;
    }

    /** Whether device time, energy and metered cost are shown. */
    public boolean metered() {
        return metered;
    }

    /** Whether idle time and overhead are shown. */
    public boolean house() {
        return house;
    }
}
