package dev.jeton.models.torch;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts;
import dev.jeton.models.Experts.Routing;
import dev.jeton.models.Experts.Scoring;
import dev.jeton.models.Experts.Shared;
import java.util.stream.Collectors;

/**
 * The part of {@link DecoderScript} that writes feed-forward layers. In a layer of experts each token chooses by the
 * router's logits, in float32: likelier experts first, the lower number first where two are equal; or by corrected
 * sigmoids of them, out of the best groups. Rows are sorted by expert, so that each expert's rows are one product over
 * its weights as they lie, and an expert without rows is not computed; what the experts give goes back to the token's
 * place and is summed by the experts' shares in float32, with what all tokens go through beside them.
 */
final class FeedScript {

    /** How many layers are of experts decides what a layer calls. */
    private enum Layers {
        DENSE,
        OF_EXPERTS,
        MIXED
    }

    private final DecoderSpec spec;
    private final DecoderTensors tensors;
    private final Layers layers;

    FeedScript(DecoderSpec spec, DecoderTensors tensors) {
        this.spec = spec;
        this.tensors = tensors;
        boolean some = tensors.ofExperts().contains(true);
        layers = !some ? Layers.DENSE : tensors.ofExperts().contains(false) ? Layers.MIXED : Layers.OF_EXPERTS;
    }

    /** The methods. */
    String text() {
        return switch (layers) {
            case DENSE -> dense();
            case OF_EXPERTS -> experts();
            case MIXED -> dense() + experts();
        };
    }

    /** In a layer {@code i} whose first tensor is at {@code b}: what {@code y}, in float32, becomes is {@code f}. */
    String call() {
        return switch (layers) {
            case DENSE -> "        f = (self).dense(y, b)\n";
            case OF_EXPERTS -> "        f = (self).experts(y, b)\n";
            case MIXED ->
                """
                    if %s[i]:
                      f = (self).experts(y, b)
                    else:
                      f = (self).dense(y, b)
            """.formatted(tensors.ofExperts().stream()
                        .map(sparse -> sparse ? "True" : "False")
                        .collect(Collectors.joining(", ", "[", "]")));
        };
    }

    private String dense() {
        return """
              def dense(self: __torch__.$CLASS, z: Tensor, b: int) -> Tensor:
                y = torch.to(z, $TYPE)
                f = torch.mul_(%s, torch.linear(y, %s))
                return torch.linear(f, %s)
            """.formatted(
                        activated("torch.linear(y, %s)".formatted(tensors.inScript("mlp.gate_proj.weight"))),
                        tensors.inScript("mlp.up_proj.weight"),
                        tensors.inScript("mlp.down_proj.weight"));
    }

    private String experts() {
        int taken = spec.experts().perToken();
        int first = tensors.inLayer("mlp.experts.0.gate_proj.weight");
        return """
              def experts(self: __torch__.$CLASS, z: Tensor, b: int) -> Tensor:
                slots = torch.size(z, 0) * %1$d
            %2$s\
                chosen = torch.reshape(torch.slice(order, 1, 0, %1$d), [slots])
                of, places = torch.sort(chosen, stable=True, dim=0, descending=False)
                numbers, _0, counts = torch.unique_consecutive(of, False, True)
                kinds = torch.size(numbers, 0)
                found = torch.to(torch.cat([numbers, counts]), torch.device("cpu"), 4)
                sizes = annotate(List[int], found.tolist())
                rows = torch.to(z, $TYPE)
                y = torch.index_select(rows, 0, torch.floor_divide(places, %1$d))
                given = torch.empty([slots, $HIDDEN], dtype=$TYPE, device=$DEVICE)
                at = 0
                for i in range(kinds):
                  e = b + %3$d + %4$d * sizes[i]
                  end = at + sizes[kinds + i]
                  x = torch.slice(y, 0, at, end)
                  f = torch.mul_(%5$s, torch.linear(x, self.w[e + 1]))
                  place = torch.slice(places, 0, at, end)
                  _1 = torch.index_copy_(given, 0, place, torch.linear(f, self.w[e + 2]))
                  at = end
                each = torch.view(given, [-1, %1$d, $HIDDEN])
                sums = torch.sum(torch.mul(each, torch.unsqueeze(shares, 2)), [1])
                return %6$s
            """.formatted(
                        taken,
                        spec.experts().routing().isPlain() ? likeliest() : bestOfGroups(),
                        first,
                        DecoderTensors.OF_EXPERT,
                        activated("torch.linear(x, self.w[e])"),
                        withShared());
    }

    /** All experts in their {@code order}, and the {@code shares} of the first. */
    private String likeliest() {
        int taken = spec.experts().perToken();
        String shares = spec.experts().routing().normalised()
                ? "torch.softmax(torch.slice(likely, 1, 0, %d), 1)".formatted(taken)
                : "torch.slice(torch.softmax(likely, 1), 1, 0, %d)".formatted(taken);
        return """
                likely, order = torch.sort(torch.linear(z, %s), stable=True, dim=1, descending=True)
                shares = %s
            """.formatted(tensors.inScript(DecoderTensors.ROUTER), shares);
    }

    /** The same by keys that are not what shares are made of. */
    private String bestOfGroups() {
        Experts experts = spec.experts();
        Routing routing = experts.routing();
        boolean sigmoid = routing.scoring() == Scoring.SIGMOID;
        // logits order as their probabilities do, but not with something added
        String keys = sigmoid || routing.corrected() ? "scores" : "logits";
        String corrected = routing.corrected()
                ? "torch.add(%s, %s)".formatted(keys, tensors.inScript(DecoderTensors.CORRECTION))
                : keys;
        String sum = sigmoid ? "torch.add(torch.sum(parts, [1], True), 1.0e-20)" : "torch.sum(parts, [1], True)";
        String shares = routing.normalised() ? "torch.div(parts, %s)".formatted(sum) : "parts";
        return """
                logits = torch.linear(z, %s)
                scores = %s
                keys = %s
            %s\
                likely, order = torch.sort(keys, stable=True, dim=1, descending=True)
                parts = torch.gather(scores, 1, torch.slice(order, 1, 0, %d))
                shares = torch.mul(%s, %s)
            """.formatted(
                        tensors.inScript(DecoderTensors.ROUTER),
                        sigmoid ? "torch.sigmoid(logits)" : "torch.softmax(logits, 1)",
                        corrected,
                        routing.groupsTaken() < routing.groups() ? keysOfGroups(experts.count(), routing) : "",
                        experts.perToken(),
                        shares,
                        routing.scale());
    }

    /** Makes the keys of all but the best groups the least. */
    private static String keysOfGroups(int count, Routing routing) {
        return """
                grouped = torch.view(keys, [-1, %1$d, %2$d])
                best, _2 = torch.sort(grouped, stable=True, dim=2, descending=True)
                of_group = torch.sum(torch.slice(best, 2, 0, %3$d), [2])
                _3, groups = torch.sort(of_group, stable=True, dim=1, descending=True)
                left = torch.slice(groups, 1, %4$d, %1$d)
                closed = torch.scatter(torch.zeros_like(of_group), 1, left, 1.0)
                away = torch.unsqueeze(torch.gt(closed, 0.5), 2)
                keys = torch.reshape(torch.masked_fill(grouped, away, -1.0e+30), [-1, %5$d])
            """.formatted(
                        routing.groups(), count / routing.groups(), routing.groupBest(), routing.groupsTaken(), count);
    }

    /** What experts gave together, and what all tokens go through. */
    private String withShared() {
        Shared shared = spec.experts().shared();
        if (!shared.exists()) {
            return "sums";
        }
        String gate = activated(
                "torch.linear(rows, %s)".formatted(tensors.inScript(DecoderTensors.SHARED + "gate_proj.weight")));
        String beside = "torch.linear(torch.mul_(%s, torch.linear(rows, %s)), %s)"
                .formatted(
                        gate,
                        tensors.inScript(DecoderTensors.SHARED + "up_proj.weight"),
                        tensors.inScript(DecoderTensors.SHARED + "down_proj.weight"));
        String counted = shared.gated()
                ? "torch.mul(%s, torch.sigmoid(torch.linear(z, %s)))"
                        .formatted(beside, tensors.inScript(DecoderTensors.SHARED_GATE))
                : beside;
        return "torch.add(sums, %s)".formatted(counted);
    }

    private String activated(String gate) {
        return switch (spec.activation()) {
            case SILU -> "torch.silu_(%s)".formatted(gate);
            case GELU_TANH -> "torch.gelu(%s, approximate=\"tanh\")".formatted(gate);
            case CLAMPED_SWIGLU -> throw new IllegalStateException("models with it are refused");
        };
    }
}
