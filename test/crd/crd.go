// Package crd holds objects against the generated CRDs as an API server does, in process.
package crd

import (
	"os"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// Definition is a CRD with a single version, ready to take objects.
type Definition struct {
	apiextensionsv1.CustomResourceDefinition

	structural *structuralschema.Structural
	validator  validation.SchemaValidator
}

// Verdict is what an API server makes of an object.
type Verdict struct {
	// Object is what it would store.
	Object map[string]any
	// Unknown are the paths of the fields that it would drop for want of a place in the schema.
	Unknown []string
	// Errors say why it would refuse the object.
	Errors field.ErrorList
}

// Load reads a CRD from a file.
func Load(t testing.TB, file string) *Definition {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read CRD: %v", err)
	}
	var d Definition
	if err := yaml.UnmarshalStrict(data, &d.CustomResourceDefinition); err != nil {
		t.Fatalf("parse CRD %s: %v", file, err)
	}
	if n := len(d.Spec.Versions); n != 1 {
		t.Fatalf("CRD %s has %d versions, want 1", file, n)
	}
	var internal apiextensions.JSONSchemaProps
	schema := d.Spec.Versions[0].Schema.OpenAPIV3Schema
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(schema, &internal, nil); err != nil {
		t.Fatalf("convert the schema of CRD %s: %v", file, err)
	}
	if d.structural, err = structuralschema.NewStructural(&internal); err != nil {
		t.Fatalf("schema of CRD %s is not structural: %v", file, err)
	}
	if errs := structuralschema.ValidateStructural(nil, d.structural); len(errs) > 0 {
		t.Fatalf("schema of CRD %s is not structural: %v", file, errs.ToAggregate())
	}
	if d.validator, _, err = validation.NewSchemaValidator(&internal); err != nil {
		t.Fatalf("schema of CRD %s cannot validate: %v", file, err)
	}
	return &d
}

// Admit takes an object through what an API server does on creation: prune, drop nulls, validate. The argument is not
// changed. Metadata is not looked at.
func (d *Definition) Admit(object map[string]any) Verdict {
	v := Verdict{Object: runtime.DeepCopyJSON(object)}
	v.Unknown = pruning.PruneWithOptions(v.Object, d.structural, true, structuralschema.UnknownFieldPathOptions{
		TrackUnknownFieldPaths: true,
	})
	defaulting.PruneNonNullableNullsWithoutDefaults(v.Object, d.structural)
	v.Errors = validation.ValidateCustomResource(nil, v.Object, d.validator)
	v.Errors = append(v.Errors, listtype.ValidateListSetsAndMaps(nil, d.structural, v.Object)...)
	return v
}
