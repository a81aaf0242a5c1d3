package v1alpha1

import (
	"encoding/json"
)

// JSON is any JSON value, kept as it was written.
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XPreserveUnknownFields
type JSON struct {
	Raw []byte `json:"-" protobuf:"bytes,1,opt,name=raw"`
}

// MarshalJSON writes the value as it is; an empty one is null.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j.Raw) == 0 {
		return []byte("null"), nil
	}
	return j.Raw, nil
}

// UnmarshalJSON keeps a copy of the value; null leaves it empty.
func (j *JSON) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || string(data) == "null" {
		j.Raw = nil
		return nil
	}
	j.Raw = append(json.RawMessage(nil), data...)
	return nil
}
