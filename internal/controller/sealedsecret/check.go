package sealedsecret

import (
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// maxAnswers bounds how many answers of a Check are remembered.
const maxAnswers = 4096

// Check tells before a SealedSecret is applied whether it could be unsealed, so that a sync fails before it has changed anything.
type Check struct {
	// Keys are the sealing keys in force.
	Keys *Keyring
	// StandBy names the controller that does the work in our place; its keys are not known here.
	StandBy func() string
	Options sealing.Options
	// Serves tells whether a SealedSecret is ours to unseal.
	Serves func(object *bitnamiv1.SealedSecret) bool

	mu      sync.Mutex
	ring    *sealing.Ring
	answers map[string]string // by digest, for the ring
}

// Invalid says why a target could not be unsealed, empty when it could, is no SealedSecret, or nothing is known about it.
func (c *Check) Invalid(target *unstructured.Unstructured) string {
	kind := target.GroupVersionKind()
	if kind.Kind != "SealedSecret" || kind.Group != bitnamiv1.GroupVersion.Group || !c.Keys.Loaded() || c.StandBy() != "" {
		return ""
	}
	object := &bitnamiv1.SealedSecret{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(target.Object, object) != nil || !c.Serves(object) {
		return "" // what has not the form of a SealedSecret the API server refuses itself
	}
	digest, err := sealing.Digest(object)
	if err != nil {
		return ""
	}
	ring := c.Keys.Current()
	key := object.Namespace + "/" + object.Name + "/" + digest
	if answer, known := c.recall(ring, key); known {
		return answer
	}
	answer := ""
	if _, _, err := ring.Unseal(object, c.Options); err != nil {
		answer = "SealedSecret " + object.Namespace + "/" + object.Name + " cannot be unsealed: " + err.Error()
	}
	c.remember(ring, key, answer)
	return answer
}

func (c *Check) recall(ring *sealing.Ring, key string) (answer string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ring != ring {
		return "", false
	}
	answer, known = c.answers[key]
	return answer, known
}

func (c *Check) remember(ring *sealing.Ring, key, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ring != ring || len(c.answers) >= maxAnswers {
		c.ring, c.answers = ring, map[string]string{}
	}
	c.answers[key] = answer
}
