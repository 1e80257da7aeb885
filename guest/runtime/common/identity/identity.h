// Who this object is, in every way in which objects of one process can be mixed up.
//
// Each object of each runtime defines the same symbols - a global, a thread-local and one that is unique in the whole
// process by its binding - with contents of its own. A runtime whose thread finds the contents of another has been bound
// to that other's object.
#pragma once

namespace rt {

// Whether all that this thread sees is this runtime's own. A thread that has asked leaves a mark in its thread-local, which
// nobody else may find.
bool identity_is_own();

}  // namespace rt
