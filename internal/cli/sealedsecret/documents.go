package sealedsecret

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// split gives the YAML or JSON documents of a file that hold something; there is at least one.
func split(data []byte) ([][]byte, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading YAML: %w", err)
		}
		var content any
		if yaml.Unmarshal(document, &content) == nil && content == nil {
			continue // nothing but comments
		}
		documents = append(documents, document)
	}
	if len(documents) == 0 {
		return nil, errors.New("there is nothing to read")
	}
	return documents, nil
}

// decode reads a document of one kind. No error quotes the document, which may hold values in clear.
func decode(document []byte, kind string, into any) error {
	meta := &metav1.PartialObjectMetadata{}
	if yaml.Unmarshal(document, meta) != nil {
		return errors.New("a document is neither YAML nor JSON of an object")
	}
	if meta.Kind != kind {
		return fmt.Errorf("%q is not a %s but of kind %q", meta.Name, kind, meta.Kind)
	}
	if yaml.Unmarshal(document, into) != nil {
		return fmt.Errorf("%s %q cannot be read: a field has a value of another type", kind, meta.Name)
	}
	return nil
}

// isSealedSecret tells whether a document is a SealedSecret; files may hold other objects beside.
func isSealedSecret(document []byte) bool {
	meta := &metav1.PartialObjectMetadata{}
	return yaml.Unmarshal(document, meta) == nil && meta.Kind == "SealedSecret" && meta.GroupVersionKind().Group == bitnamiv1.GroupVersion.Group
}

// flatten gives the objects of a document: itself, or those of a list.
func flatten(document []byte) ([]unstructured.Unstructured, error) {
	object := unstructured.Unstructured{}
	if yaml.Unmarshal(document, &object.Object) != nil || object.Object == nil {
		return nil, errors.New("a document is neither YAML nor JSON of an object")
	}
	if !object.IsList() {
		return []unstructured.Unstructured{object}, nil
	}
	list, err := object.ToList()
	if err != nil {
		return nil, errors.New("a list cannot be read")
	}
	return list.Items, nil
}

// convert reads an object as a type.
func convert(object *unstructured.Unstructured, into any) error {
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into) != nil {
		return fmt.Errorf("%s %q cannot be read: a field has a value of another type", object.GetKind(), object.GetName())
	}
	return nil
}
