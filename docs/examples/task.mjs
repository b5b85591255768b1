// A task with two model calls, a retrieval and an outcome, and what all of it cost.
//
//   npm install openai
//   node docs/examples/task.mjs http://localhost:8000/v1 jeton-demo
//
// The key is taken from OPENAI_API_KEY. The server needs books; with a price book (--prices) the amounts are not 0.
import OpenAI from 'openai';

const [baseURL = 'http://localhost:8000/v1', model = 'jeton-demo'] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY ?? 'none' });

// What this piece of work may cost, and what makes it a success.
const task = await client.post('/tasks', {
  body: {
    name: 'answer a question',
    success_criterion: 'the answer names a document',
    slo_seconds: 60,
    budgets: { 'output-tokens': 2000, 'list-money': '1' },
  },
});

// The first call plans; the header ties it to the task.
const plan = await client.chat.completions.create(
  { model, max_tokens: 16, messages: [{ role: 'user', content: 'What is continuous batching?' }] },
  { headers: { 'X-Jeton-Task': task.id, 'X-Jeton-Prompt-Version': 'plan-3', 'X-Jeton-Route': 'plan' } },
);

// Work outside of the server: reserved before it is done, settled with what it cost.
const steps = `/tasks/${task.id}/steps`;
await client.post(steps, { body: { id: 'search', kind: 'retrieval', cost: '0.0004', reserve: true } });
await client.post(steps, { body: { id: 'search', kind: 'retrieval', cost: '0.0005', duration_ms: 12, hit: true } });

// The second call answers; metadata ties it to the task as well.
await client.chat.completions.create({
  model,
  max_tokens: 16,
  messages: [{ role: 'user', content: `Answer from this plan: ${plan.choices[0].message.content}` }],
  metadata: { task: task.id, prompt_version: 'answer-7', route: 'answer' },
});

await client.post(`/tasks/${task.id}/outcome`, { body: { success: true, reason: 'it names two' } });

const graph = await client.get(`/tasks/${task.id}`);
const { totals } = graph;
const sum = (cost) => `${cost.list} list`;
console.log(`task "${graph.name}": ${graph.status}, within its time: ${graph.slo_met}`);
for (const call of graph.requests) {
  const { input, cached, output } = call.tokens;
  console.log(`  call ${call.prompt_version} (${call.route}, ${call.context_bucket}): ${call.model}, `
    + `${input + cached} + ${output} tokens, ${sum(call.cost)}, ${call.outcome}`);
}
for (const step of graph.steps) {
  console.log(`  step ${step.id} (${step.kind}${step.hit === null ? '' : step.hit ? ', hit' : ', miss'}): `
    + `${sum(step.cost)}, ${step.cost.overdraft} beyond what was reserved, ${step.state}`);
}
console.log(`  in all: ${totals.list.total} ${totals.currency} = ${totals.list.tokens} tokens + `
  + `${totals.list.egress} bytes + ${totals.list.steps} steps; ${totals.model_calls} calls, `
  + `${totals.retries} retries, hit rate ${totals.hit_rate}`);
