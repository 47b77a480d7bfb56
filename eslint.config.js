import js from "@eslint/js";
import tseslint from "typescript-eslint";

const io = [
  "node:fs",
  "node:fs/promises",
  "node:net",
  "node:http",
  "node:https",
  "node:child_process",
  "node:os",
  "node:timers",
  "node:timers/promises",
  "@kubernetes/client-node",
  "kafkajs",
  "@platformatic/kafka",
  "pg",
  "prom-client",
  "pino",
];
const pure = "This folder is pure: observations, clocks and seeds come in as arguments.";

export default tseslint.config(
  {
    ignores: [
      "**/dist/**",
      "**/generated/**",
      ".cache/**",
      ".cluster/**",
      "**/node_modules/**",
      "workloads/assembly/**",
    ],
  },
  js.configs.recommended,
  {
    files: ["**/*.{js,mjs}"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly", Buffer: "readonly" } },
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-undef": "off",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-constant-condition": ["error", { checkLoops: false }],
      "no-empty": ["error", { allowEmptyCatch: false }],
    },
  },
  {
    files: ["pipeline/src/**/*.ts", "operator/src/plan/**/*.ts", "operator/src/status/**/*.ts", "**/core/**/*.ts"],
    // DuckDB's library, and the check of SQL in a process of its own.
    ignores: ["**/*.test.ts", "pipeline/src/testing/**", "pipeline/src/sql/{check,check-sql,duckdb,duckdb-library}.ts"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        { paths: io.map((name) => ({ name, message: pure, allowTypeImports: true })) },
      ],
      "no-restricted-globals": [
        "error",
        ...["process", "setTimeout", "setInterval", "fetch"].map((name) => ({ name, message: pure })),
      ],
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: pure },
        { object: "Math", property: "random", message: pure },
      ],
    },
  },
);
