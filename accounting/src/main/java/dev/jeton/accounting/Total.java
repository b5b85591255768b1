package dev.jeton.accounting;

/**
 * What the requests of one group were and cost.
 *
 * @param group the group's value: a tenant, a model, an hour
 * @param requests requests that ended
 * @param completed of those, delivered whole
 * @param cancelled of those, given up by the client
 * @param failed of those, ended by the server or failed or aborted
 * @param tokens tokens of those
 * @param egressBytes bytes of their answers
 * @param list list money of the tokens, nano-units
 * @param egress list money of the bytes, nano-units: owed beside {@code list}
 * @param metered metered money posted to the tenant, nano-units
 * @param houseMoney metered money that they cost the house, nano-units
 * @param payable nanoseconds of device time that the tenant pays for
 * @param house nanoseconds of device time that they cost the house
 * @param microjoules energy
 * @param steps steps of tasks that were done
 * @param stepMoney list money of those, nano-units: owed beside {@code list} and {@code egress}
 * @param tasks what the tasks of the group were
 * @param p95Nanos the 95th percentile of their total latency, exact by nearest rank; 0 where none ended
 */
public record Total(
        String group,
        long requests,
        long completed,
        long cancelled,
        long failed,
        Tokens tokens,
        long egressBytes,
        long list,
        long egress,
        long metered,
        long houseMoney,
        long payable,
        long house,
        long microjoules,
        long steps,
        long stepMoney,
        TaskTotal tasks,
        long p95Nanos) {

    /** List money of tokens less metered money: what the network costs is not metered. */
    public long margin() {
        return list - metered;
    }
}
