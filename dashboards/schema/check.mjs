// Checks every dashboard in ../grafana against Grafana's own types, which npm's @grafana/schema publishes: the oldest version
// that has those of the panels, and the one that compose.yaml starts. A key that Grafana does not know, or a word that it does
// not understand, is an error.
//
// The types are made for programs and not for JSON, so two things are changed before the compiler reads them: an enum
// becomes the words that it stands for, and whatever has a default may be left out.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = dirname(fileURLToPath(import.meta.url));
const plugins = {
  timeseries: "timeseries", stat: "stat", bargauge: "bargauge", table: "table", heatmap: "heatmap",
  "state-timeline": "statetimeline", text: "text",
};
const withFields = ["timeseries", "table", "state-timeline", "heatmap"];

// typesOf finds the file of types of a part of the schema, which stands elsewhere in each version.
function typesOf(schema, part) {
  for (const folder of [join("dist", "types", part), join("dist", "esm", part)]) {
    const path = join(schema, folder);
    const file = existsSync(path) && readdirSync(path).find((name) => name.endsWith(".gen.d.ts"));
    if (file) return readFileSync(join(path, file), "utf8");
  }
  throw new Error(`${schema} has no types of ${part}`);
}

// plain turns the enums of words into the words.
function plain(types) {
  const word = {};
  const plainer = types.replace(/export declare enum (\w+) \{([^}]*)\}/g, (all, name, body) => {
    const members = [...body.matchAll(/(\w+)\s*=\s*("[^"]*"|-?\d+)/g)];
    for (const [, member, value] of members) word[`${name}.${member}`] = value;
    return `export type ${name} = ${members.map(([, , value]) => value).join(" | ")};`;
  });
  return plainer
    .replace(/\btype: (\w+\.\w+);/g, (all, member) => `type: ${word[member] ?? member};`)
    .replace(/from ['"]@grafana\/schema['"]/g, "from './common'")
    .replace(/from ['"](\.\.\/)+common\/common\.gen(\.js)?['"]/g, "from './common'");
}

// source is a program that holds the dashboards as constants of Grafana's types.
function source(dashboards) {
  const imports = Object.entries(plugins).map(([type, name]) => `import * as ${name} from './${name}';`);
  const lines = [
    `import type { Dashboard, Panel, RowPanel, VariableModel, AnnotationQuery, FieldConfig } from './dashboard';`,
    ...imports,
    `type Part<T> = T extends (infer E)[] ? Part<E>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;`,
    // What Prometheus' data source adds (github.com/grafana/grafana, packages/grafana-prometheus: src/types.ts, src/annotations.ts).
    `type Query = { refId: string; datasource?: { type: "prometheus"; uid: string }; expr: string; legendFormat?: string;`,
    `  format?: "time_series" | "table" | "heatmap"; instant: boolean; range: boolean; interval?: string };`,
    `type Mark = Part<Omit<AnnotationQuery, "target">> & { expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string; target: Query };`,
    `type Typed = Omit<Part<Panel>, "options" | "targets" | "fieldConfig"> & { targets?: Query[] };`,
  ];
  let n = 0;
  const constant = (type, value) => lines.push(`export const v${n++}: ${type} = ${JSON.stringify(value)};`);
  const panel = ({ options, fieldConfig, ...rest }) => {
    if (rest.type === "row") {
      const { panels, ...row } = rest;
      constant(`Omit<RowPanel, "panels">`, row);
      panels.forEach(panel);
      return;
    }
    const name = plugins[rest.type];
    if (!name) throw new Error(`a panel of the kind ${rest.type}, which is not checked`);
    lines.push(`// ${rest.title}`);
    constant("Typed", rest);
    constant(`Part<${name}.Options>`, options);
    if (!fieldConfig) return;
    const { custom, ...defaults } = fieldConfig.defaults;
    constant(`Omit<FieldConfig, "custom">`, defaults);
    constant(`Part<Panel>["fieldConfig"]`, { defaults: {}, overrides: fieldConfig.overrides });
    // A property's value is of any type there: it is that of the field's own member.
    for (const { id, value } of fieldConfig.overrides.flatMap(({ properties }) => properties)) {
      const [, member] = /^custom\.(.*)$/.exec(id) ?? [];
      constant(member ? `Part<${name}.FieldConfig>` : `Omit<FieldConfig, "custom">`, { [member ?? id]: value });
    }
    if (custom && withFields.includes(rest.type)) constant(`Part<${name}.FieldConfig>`, custom);
  };
  for (const { panels, annotations, templating, ...rest } of dashboards) {
    constant("Dashboard", rest);
    annotations.list.forEach((mark) => constant("Mark", mark));
    templating.list.forEach((variable) => constant("Part<VariableModel>", variable));
    panels.forEach(panel);
  }
  return [...lines, ""].join("\n");
}

function check(version, dashboards) {
  const schema = join(here, "node_modules", version);
  const folder = mkdtempSync(join(tmpdir(), "layerwatch-schema-"));
  try {
    writeFileSync(join(folder, "common.ts"), plain(typesOf(schema, "common")));
    writeFileSync(join(folder, "dashboard.ts"), plain(typesOf(schema, join("raw", "dashboard", "x"))));
    for (const name of Object.values(plugins)) {
      writeFileSync(join(folder, `${name}.ts`), plain(typesOf(schema, join("raw", "composable", name, "panelcfg", "x"))));
    }
    const main = join(folder, "main.ts");
    writeFileSync(main, source(dashboards));
    const program = ts.createProgram([main], { noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Bundler });
    const problems = ts.getPreEmitDiagnostics(program);
    for (const problem of problems) {
      const at = problem.file?.getLineAndCharacterOfPosition(problem.start);
      const line = at ? problem.file.text.split("\n")[at.line].slice(0, 160) : "";
      console.error(`${version}: ${problem.file?.fileName.split("/").pop()} ${ts.flattenDiagnosticMessageText(problem.messageText, " ")}\n  ${line}`);
    }
    return problems.length;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const folder = join(here, "..", "grafana");
const dashboards = readdirSync(folder).filter((name) => name.endsWith(".json")).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
if (dashboards.length === 0) throw new Error("there are no dashboards");
let problems = 0;
for (const version of ["schema-10", "schema-13"]) problems += check(version, dashboards);
console.log(`${dashboards.length} dashboards, ${problems} problems`);
process.exit(problems > 0 ? 1 : 0);
