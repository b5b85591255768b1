package dev.jeton.models.torch;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts;
import java.util.stream.Collectors;

/**
 * The part of {@link DecoderScript} that writes feed-forward layers. In a layer of experts each token chooses by the
 * router's logits, in float32: likelier experts first, the lower number first where two are equal. Rows are sorted by
 * expert, so that each expert's rows are one product over its weights as they lie, and an expert without rows is not
 * computed; what the experts give goes back to the token's place and is summed by the experts' shares in float32.
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
        Experts experts = spec.experts();
        int taken = experts.perToken();
        String shares = experts.routing().normalised()
                ? "torch.softmax(torch.slice(likely, 1, 0, %d), 1)".formatted(taken)
                : "torch.slice(torch.softmax(likely, 1), 1, 0, %d)".formatted(taken);
        int first = tensors.inLayer("mlp.experts.0.gate_proj.weight");
        return """
              def experts(self: __torch__.$CLASS, z: Tensor, b: int) -> Tensor:
                slots = torch.size(z, 0) * %1$d
                likely, order = torch.sort(torch.linear(z, %2$s), stable=True, dim=1, descending=True)
                chosen = torch.reshape(torch.slice(order, 1, 0, %1$d), [slots])
                shares = %3$s
                of, places = torch.sort(chosen, stable=True, dim=0, descending=False)
                numbers, _0, counts = torch.unique_consecutive(of, False, True)
                kinds = torch.size(numbers, 0)
                found = torch.to(torch.cat([numbers, counts]), torch.device("cpu"), 4)
                sizes = annotate(List[int], found.tolist())
                y = torch.index_select(torch.to(z, $TYPE), 0, torch.floor_divide(places, %1$d))
                given = torch.empty([slots, $HIDDEN], dtype=$TYPE, device=$DEVICE)
                at = 0
                for i in range(kinds):
                  e = b + %4$d + %5$d * sizes[i]
                  end = at + sizes[kinds + i]
                  x = torch.slice(y, 0, at, end)
                  f = torch.mul_(%6$s, torch.linear(x, self.w[e + 1]))
                  place = torch.slice(places, 0, at, end)
                  _1 = torch.index_copy_(given, 0, place, torch.linear(f, self.w[e + 2]))
                  at = end
                each = torch.view(given, [-1, %1$d, $HIDDEN])
                return torch.sum(torch.mul(each, torch.unsqueeze(shares, 2)), [1])
            """.formatted(
                        taken,
                        tensors.inScript(DecoderTensors.ROUTER),
                        shares,
                        first,
                        DecoderTensors.OF_EXPERT,
                        activated("torch.linear(x, self.w[e])"));
    }

    private String activated(String gate) {
        return switch (spec.activation()) {
            case SILU -> "torch.silu_(%s)".formatted(gate);
            case GELU_TANH -> "torch.gelu(%s, approximate=\"tanh\")".formatted(gate);
            case CLAMPED_SWIGLU -> throw new IllegalStateException("models with it are refused");
        };
    }
}
