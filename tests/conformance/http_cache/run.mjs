// Runs the suite in PERIGEE_SUITE through the cache at PERIGEE_BASE (only the tests named on the command line, or
// all), and prints {id: {kind, depends_on, result}}: result is true or [error, message], as the suite has it.
const suite = process.env.PERIGEE_SUITE
const load = async path => await import(new URL(path, `file://${suite}/`))
const { runTests, getResults } = await load('client/runner.mjs')
const groups = (await load('tests/index.mjs')).default
groups.push((await load('tests/surrogate-control.mjs')).default)
const fetch = (await import('node-fetch')).default

const wanted = new Set(process.argv.slice(2))
const tests = groups.flatMap(group => group.tests).filter(test => test.browser_only !== true)
const chosen = wanted.size === 0 ? tests : tests.filter(test => wanted.has(test.id))
await runTests([{ tests: chosen }], fetch, false, process.env.PERIGEE_BASE, 50)

const results = getResults()
const told = {}
for (const { id, kind, depends_on } of chosen) {
  told[id] = { kind: kind ?? 'required', depends_on: depends_on ?? [], result: results[id] }
}
console.log(JSON.stringify(told))
