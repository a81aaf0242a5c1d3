package helm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// schemaURL is the name of a chart's own schema, to which its references are relative; it stands in the library's texts.
const schemaURL = "file:///values.schema.json"

// refuser refuses what a schema refers to outside of itself.
type refuser struct{}

// Load implements [jsonschema.URLLoader].
func (refuser) Load(string) (any, error) {
	return nil, errors.New("a schema outside of the chart is not fetched: write it into values.schema.json")
}

// checkSchemas holds the values against the schemas of the chart and its dependencies, with Helm's texts.
func checkSchemas(loaded *chart.Chart, input common.Values) error {
	values, err := input.Table("Values")
	if err != nil {
		return err
	}
	if text := violations(loaded, values); text != "" {
		return fmt.Errorf("values don't meet the specifications of the schema(s) in the following chart(s):\n%s", text)
	}
	return nil
}

func violations(c *chart.Chart, values map[string]any) string {
	var b strings.Builder
	if c.Schema != nil {
		if err := checkSchema(c.Schema, values); err != nil {
			fmt.Fprintf(&b, "%s:\n%s\n", c.Name(), strings.TrimPrefix(err.Error(), "jsonschema validation failed with '"+schemaURL+"#'\n"))
		}
	}
	for _, sub := range c.Dependencies() {
		switch of := values[sub.Name()].(type) {
		case nil:
		case map[string]any:
			b.WriteString(violations(sub, of))
		case common.Values:
			b.WriteString(violations(sub, of))
		default:
			fmt.Fprintf(&b, "%s:\ninvalid type for values: expected object (map), got %T\n", sub.Name(), of)
		}
	}
	return b.String()
}

// checkSchema holds values against one schema. A panic of the library is about the schema.
func checkSchema(text []byte, values map[string]any) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("unable to validate schema")
		}
	}()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(refuser{})
	if err := compiler.AddResource(schemaURL, schema); err != nil {
		return err
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return err
	}
	return compiled.Validate(values)
}
