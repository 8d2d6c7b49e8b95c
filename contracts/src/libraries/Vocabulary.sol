// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title How many words core/vocabulary.json has; tests/contracts compares the two
library Vocabulary {
    uint256 internal constant PURPOSES = 10;
    uint256 internal constant CATEGORIES = 16;
    uint256 internal constant ROLES = 8;
    uint256 internal constant PATRQT = 4;
}
