//! Networks of layers on CPU lanes: shapes, forward, backward, losses, optimisers.
