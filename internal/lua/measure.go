package lua

import (
	"errors"

	"github.com/yuin/gopher-lua/ast"
)

// concatenation is the global function that stands for the operator "..", which by itself could double a string at each step.
// Its name cannot be written in a script.
const concatenation = "operator .."

// maxDepth bounds how deep a script may nest: compiler and measure walk it recursively.
const maxDepth = 2000

var errDepth = errors.New("the script nests too deep")

// measure replaces each ".." of a script by a call of the function that measures it.
func measure(statements []ast.Stmt) error {
	w := walker{}
	w.block(statements)
	return w.err
}

type walker struct {
	depth int
	err   error
}

func (w *walker) block(statements []ast.Stmt) {
	for _, statement := range statements {
		w.statement(statement)
	}
}

// deeper tells whether the walk may go one level down; up must follow.
func (w *walker) deeper() bool {
	if w.depth++; w.depth > maxDepth {
		w.err = errDepth
	}
	return w.err == nil
}

func (w *walker) up() { w.depth-- }

func (w *walker) statement(statement ast.Stmt) {
	defer w.up()
	if !w.deeper() {
		return
	}
	switch s := statement.(type) {
	case *ast.AssignStmt:
		w.all(s.Lhs)
		w.all(s.Rhs)
	case *ast.LocalAssignStmt:
		w.all(s.Exprs)
	case *ast.FuncCallStmt:
		w.one(&s.Expr)
	case *ast.DoBlockStmt:
		w.block(s.Stmts)
	case *ast.WhileStmt:
		w.one(&s.Condition)
		w.block(s.Stmts)
	case *ast.RepeatStmt:
		w.one(&s.Condition)
		w.block(s.Stmts)
	case *ast.IfStmt:
		w.one(&s.Condition)
		w.block(s.Then)
		w.block(s.Else)
	case *ast.NumberForStmt:
		w.one(&s.Init)
		w.one(&s.Limit)
		w.one(&s.Step)
		w.block(s.Stmts)
	case *ast.GenericForStmt:
		w.all(s.Exprs)
		w.block(s.Stmts)
	case *ast.FuncDefStmt:
		w.one(&s.Name.Func)
		w.one(&s.Name.Receiver)
		w.block(s.Func.Stmts)
	case *ast.ReturnStmt:
		w.all(s.Exprs)
	}
}

func (w *walker) all(exprs []ast.Expr) {
	for i := range exprs {
		w.one(&exprs[i])
	}
}

func (w *walker) one(at *ast.Expr) {
	defer w.up()
	if !w.deeper() {
		return
	}
	switch e := (*at).(type) {
	case *ast.StringConcatOpExpr:
		*at = w.concatenation(e)
	case *ast.AttrGetExpr:
		w.one(&e.Object)
		w.one(&e.Key)
	case *ast.TableExpr:
		for _, field := range e.Fields {
			w.one(&field.Key)
			w.one(&field.Value)
		}
	case *ast.FuncCallExpr:
		w.one(&e.Func)
		w.one(&e.Receiver)
		w.all(e.Args)
	case *ast.LogicalOpExpr:
		w.one(&e.Lhs)
		w.one(&e.Rhs)
	case *ast.RelationalOpExpr:
		w.one(&e.Lhs)
		w.one(&e.Rhs)
	case *ast.ArithmeticOpExpr:
		w.one(&e.Lhs)
		w.one(&e.Rhs)
	case *ast.UnaryMinusOpExpr:
		w.one(&e.Expr)
	case *ast.UnaryNotOpExpr:
		w.one(&e.Expr)
	case *ast.UnaryLenOpExpr:
		w.one(&e.Expr)
	case *ast.FunctionExpr:
		w.block(e.Stmts)
	}
}

// concatenation is the call that stands for a .. b .. c; the operator associates to the right.
func (w *walker) concatenation(e *ast.StringConcatOpExpr) ast.Expr {
	var operands []ast.Expr
	var last ast.Expr = e
	for {
		next, ok := last.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, next.Lhs)
		last = next.Rhs
	}
	operands = append(operands, last)
	w.all(operands)
	switch final := operands[len(operands)-1].(type) { // an operand is one value
	case *ast.FuncCallExpr:
		final.AdjustRet = true
	case *ast.Comma3Expr:
		final.AdjustRet = true
	}
	name := &ast.IdentExpr{Value: concatenation}
	call := &ast.FuncCallExpr{Func: name, Args: operands, AdjustRet: true}
	for _, node := range []ast.PositionHolder{name, call} {
		node.SetLine(e.Line())
		node.SetLastLine(e.LastLine())
	}
	return call
}
